"""The shapes of the API, for its description and for checks: pydantic models made from the types the ledger uses.

There is no second list of fields (design D7): ``model_of`` reads a ``msgspec.Struct`` with its bounds and texts. The
node itself decodes and encodes with msgspec; pydantic describes, and is the decoder's oracle in tests.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Union, cast

import msgspec
from msgspec import inspect as types
from pydantic import BaseModel, ConfigDict, Field, create_model

CONFIG: Final = ConfigDict(strict=True, extra="forbid", frozen=True, regex_engine="python-re")
"""As strict as the decoder: no coercion, no unknown members, Python's own patterns."""


@functools.cache
def model_of(struct: Any) -> type[BaseModel]:  # noqa: ANN401 - a class, or a generic one with its parameter
    """Return the pydantic model of a ``msgspec.Struct``: the same members, bounds, defaults and texts."""
    info = types.type_info(struct)
    assert isinstance(info, types.StructType), f"expected a msgspec.Struct, got {struct!r}"
    cls = info.cls
    texts = attribute_texts(_origin(cls))
    fields: dict[str, Any] = {}
    if info.tag_field is not None:
        fields[info.tag_field] = (Literal[info.tag], Field(description="Tells the shape."))
    for field in info.fields:
        name = field.encode_name
        text = texts.get(field.name)
        # Pydantic keeps some names for itself; the alias is the member's own.
        attribute, alias = (f"{name}_", name) if hasattr(BaseModel, name) else (name, None)
        if field.default is not msgspec.NODEFAULT:
            made = Field(field.default, alias=alias, description=text)
        elif field.default_factory is not msgspec.NODEFAULT:
            made = Field(default_factory=field.default_factory, alias=alias, description=text)
        else:
            made = Field(alias=alias, description=text)
        fields[attribute] = (_python_type(field.type), made)
    config = CONFIG if info.forbid_unknown_fields else ConfigDict(**{**CONFIG, "extra": "ignore"})
    return cast(
        "type[BaseModel]",
        create_model(_name(struct), __config__=config, __doc__=inspect.cleandoc(_origin(cls).__doc__ or ""), **fields),
    )


def components(*structs: Any) -> dict[str, Any]:  # noqa: ANN401 - classes
    """Return the OpenAPI component schemas of some structs, by name, with all they refer to."""
    schemas: dict[str, Any] = {}
    for struct in structs:
        model = model_of(struct)
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    return cast("dict[str, Any]", _without_null(schemas))


def reference_to(struct: Any) -> dict[str, str]:  # noqa: ANN401 - a class
    """Return the reference to a struct's component schema."""
    return {"$ref": f"#/components/schemas/{_name(struct)}"}


def _name(struct: Any) -> str:  # noqa: ANN401 - a class
    """A component's name: the class, and the parameter of a generic one."""
    arguments = getattr(struct, "__args__", ())
    return "_".join([_origin(struct).__name__, *(argument.__name__ for argument in arguments)])


def _origin(cls: Any) -> Any:  # noqa: ANN401 - a class
    """The class itself, also of a generic one with its parameter."""
    return getattr(cls, "__origin__", cls)


@functools.cache
def attribute_texts(cls: type) -> Mapping[str, str]:
    """Read the strings below a class's attributes, its bases' too, each on one line: they say what each means."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, msgspec.Struct) or base is msgspec.Struct:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(definition, ast.ClassDef), "the source of a class is its definition"
        for attribute, text in zip(definition.body, definition.body[1:], strict=False):
            match attribute, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    texts[name] = " ".join(said.split())
    return texts


def _without_null(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Say nothing of null: canonical JSON has none, an optional member is absent."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_null(value) for key, value in schema.items() if not (key == "default" and value is None)}


def _python_type(info: types.Type) -> Any:  # noqa: ANN401 - one arm a type
    """Return the annotation that pydantic reads for what msgspec says of a type; null is left out."""
    match info:
        case types.UnionType(types=members):
            own = [_python_type(member) for member in members if not isinstance(member, types.NoneType)]
            return Union[tuple(own)]  # noqa: UP007 - their number is not known
        case types.StrType():
            return Annotated[str, _bounds(info)]
        case types.IntType(ge=low, le=high):
            return Annotated[int, Field(ge=low, le=high)]
        case types.BoolType():
            return bool
        case types.LiteralType(values=values):
            return Literal[tuple(values)]
        case types.EnumType(cls=cls):
            return cls
        case types.VarTupleType(item_type=item, min_length=low, max_length=high):
            return Annotated[tuple[_python_type(item), ...], Field(min_length=low, max_length=high)]  # type: ignore[misc]
        case types.DictType(key_type=key, value_type=value):
            return dict[_python_type(key), _python_type(value)]  # type: ignore[misc]
        case types.StructType(cls=cls):
            return model_of(cls)
        case types.AnyType():
            return Any
        case _:
            raise TypeError(f"expected a type that signed values have, got {info}")


def _bounds(info: types.StrType) -> Any:  # noqa: ANN401 - pydantic's own
    """Return the bounds of a text; the description has the pattern in the dialect of JSON Schema (ECMA 262)."""
    published: dict[str, Any] = {}
    if info.pattern is not None:
        published["pattern"] = info.pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return Field(
        min_length=info.min_length, max_length=info.max_length, pattern=info.pattern, json_schema_extra=published
    )

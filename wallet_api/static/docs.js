// Shows the node's own description. The validator badge stays off: it would ask a server elsewhere.
"use strict";

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#description",
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
});

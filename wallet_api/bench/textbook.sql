-- The textbook ledger: two tables, row locks in id order, one SQL transaction per transfer.
-- Frozen: the figures of different days are ratios to this text. tests/bench pins its digest.

-- name: schema
CREATE TABLE account (
    id text PRIMARY KEY,
    owner text NOT NULL,
    asset text NOT NULL,
    balance bigint NOT NULL CHECK (balance >= 0)
) WITH (fillfactor = 50);

CREATE TABLE transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    participant text NOT NULL,
    reference uuid NOT NULL,
    transaction_id bytea NOT NULL,
    debit text NOT NULL,
    credit text NOT NULL,
    asset text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (participant, reference)
);

-- name: insert_transfer
INSERT INTO transfer (participant, reference, transaction_id, debit, credit, asset, amount)
VALUES (%(participant)s, %(reference)s, %(transaction_id)s, %(debit)s, %(credit)s, %(asset)s, %(amount)s)
ON CONFLICT (participant, reference) DO NOTHING
RETURNING id;

-- name: first_transfer
SELECT id, transaction_id FROM transfer WHERE participant = %(participant)s AND reference = %(reference)s;

-- name: lock_accounts
SELECT id, owner, asset, balance FROM account
WHERE id IN (%(debit)s, %(credit)s) ORDER BY id FOR UPDATE;

-- name: move_money
UPDATE account SET balance = balance + CASE WHEN id = %(debit)s THEN -%(amount)s ELSE %(amount)s END
WHERE id IN (%(debit)s, %(credit)s);

-- name: pay_function
CREATE FUNCTION pay(
    p_participant text,
    p_reference uuid,
    p_transaction_id bytea,
    p_debit text,
    p_credit text,
    p_asset text,
    p_amount bigint,
    OUT transfer_id bigint
) LANGUAGE plpgsql AS $$
DECLARE
    locked record;
    found_debit boolean := false;
    found_credit boolean := false;
    first_id bytea;
BEGIN
    INSERT INTO transfer (participant, reference, transaction_id, debit, credit, asset, amount)
    VALUES (p_participant, p_reference, p_transaction_id, p_debit, p_credit, p_asset, p_amount)
    ON CONFLICT (participant, reference) DO NOTHING
    RETURNING id INTO transfer_id;
    IF transfer_id IS NULL THEN
        SELECT id, transaction_id INTO transfer_id, first_id FROM transfer
        WHERE participant = p_participant AND reference = p_reference;
        IF first_id <> p_transaction_id THEN
            RAISE EXCEPTION 'reference_reused';
        END IF;
        RETURN;
    END IF;
    FOR locked IN
        SELECT id, owner, asset, balance FROM account
        WHERE id IN (p_debit, p_credit) ORDER BY id FOR UPDATE
    LOOP
        IF locked.id = p_debit THEN
            IF locked.owner <> p_participant THEN
                RAISE EXCEPTION 'debit_account_not_found';
            END IF;
            IF locked.balance < p_amount THEN
                RAISE EXCEPTION 'insufficient_funds';
            END IF;
            found_debit := true;
        ELSE
            found_credit := true;
        END IF;
        IF locked.asset <> p_asset THEN
            RAISE EXCEPTION 'account_asset_differs';
        END IF;
    END LOOP;
    IF NOT found_debit THEN
        RAISE EXCEPTION 'debit_account_not_found';
    END IF;
    IF NOT found_credit THEN
        RAISE EXCEPTION 'credit_account_not_found';
    END IF;
    UPDATE account SET balance = balance + CASE WHEN id = p_debit THEN -p_amount ELSE p_amount END
    WHERE id IN (p_debit, p_credit);
END
$$;

-- name: pay
SELECT pay(
    %(participant)s, %(reference)s, %(transaction_id)s, %(debit)s, %(credit)s, %(asset)s, %(amount)s
);

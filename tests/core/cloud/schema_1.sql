-- The tables as version 1 made them on SQLite; on PostgreSQL BLOB is BYTEA.
CREATE TABLE about (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE alarms (
    dev TEXT NOT NULL,
    kind TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    text TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (dev, kind, ep, seq)
);
CREATE TABLE catalogues (
    shop TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    version TEXT NOT NULL,
    manifest TEXT NOT NULL,
    PRIMARY KEY (shop, sequence)
);
CREATE UNIQUE INDEX catalogues_version ON catalogues (shop, version);
CREATE TABLE epochs (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    shop TEXT NOT NULL,
    reg TEXT NOT NULL,
    state TEXT NOT NULL,
    opened_ms BIGINT NOT NULL,
    hwm BIGINT NOT NULL,
    hash TEXT NOT NULL,
    certificate TEXT,
    uninterpreted BIGINT NOT NULL,
    PRIMARY KEY (dev, ep)
);
CREATE TABLE kiosks (
    dev TEXT NOT NULL,
    shop TEXT NOT NULL,
    reg TEXT NOT NULL,
    mode TEXT NOT NULL,
    identity_key TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    enrolled_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    contact_ms BIGINT,
    status TEXT,
    tzo BIGINT NOT NULL,
    PRIMARY KEY (dev)
);
CREATE UNIQUE INDEX kiosks_identity ON kiosks (identity_key);
CREATE TABLE quarantine (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    reason TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    signature BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (dev, ep, seq, hash)
);
CREATE TABLE receipts (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    sale_id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (dev, ep, seq)
);
CREATE INDEX receipts_sale ON receipts (sale_id);
CREATE TABLE records (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    typ TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    problem TEXT,
    data BLOB NOT NULL,
    PRIMARY KEY (dev, ep, seq)
);
CREATE TABLE registers (
    shop TEXT NOT NULL,
    reg TEXT NOT NULL,
    last_ep BIGINT NOT NULL,
    last_sale_no BIGINT NOT NULL,
    last_receipt_no BIGINT NOT NULL,
    PRIMARY KEY (shop, reg)
);
CREATE TABLE sale_lines (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    n BIGINT NOT NULL,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    quantity_value BIGINT NOT NULL,
    quantity_scale BIGINT NOT NULL,
    unit TEXT NOT NULL,
    price_amount BIGINT NOT NULL,
    price_exponent BIGINT NOT NULL,
    gross_minor BIGINT NOT NULL,
    tax_category TEXT NOT NULL,
    tax_rate_bp BIGINT NOT NULL,
    voids TEXT NOT NULL,
    PRIMARY KEY (dev, ep, seq, n)
);
CREATE TABLE sale_taxes (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    n BIGINT NOT NULL,
    category TEXT NOT NULL,
    rate_bp BIGINT NOT NULL,
    base_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    gross_minor BIGINT NOT NULL,
    PRIMARY KEY (dev, ep, seq, n)
);
CREATE TABLE sale_tenders (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    n BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    authorised_minor BIGINT NOT NULL,
    masked_pan TEXT NOT NULL,
    scheme TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    trace_no TEXT NOT NULL,
    receipt_no TEXT NOT NULL,
    authorisation_code TEXT NOT NULL,
    PRIMARY KEY (dev, ep, seq, n)
);
CREATE TABLE sales (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    shop TEXT NOT NULL,
    reg TEXT NOT NULL,
    mode TEXT NOT NULL,
    sale_id TEXT NOT NULL,
    sale_no BIGINT NOT NULL,
    kind TEXT NOT NULL,
    receipt_series TEXT NOT NULL,
    receipt_no BIGINT NOT NULL,
    currency TEXT NOT NULL,
    exponent BIGINT NOT NULL,
    language TEXT NOT NULL,
    total_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    items BIGINT NOT NULL,
    closed_ms BIGINT NOT NULL,
    tzo BIGINT NOT NULL,
    local_day TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    PRIMARY KEY (dev, ep, seq)
);
CREATE INDEX sales_day ON sales (dev, local_day);
CREATE INDEX sales_received ON sales (received_ms, dev, ep, seq);
CREATE TABLE shops (
    shop TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (shop)
);
CREATE TABLE signatures (
    dev TEXT NOT NULL,
    ep BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (dev, ep, seq)
);
CREATE TABLE tokens (
    hash TEXT NOT NULL,
    shop TEXT NOT NULL,
    reg TEXT NOT NULL,
    mode TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT,
    identity_key TEXT,
    answer TEXT,
    PRIMARY KEY (hash)
);
INSERT INTO about VALUES ('schema', '1');

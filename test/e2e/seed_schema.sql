-- The schema that programs written for the seed created, to the letter.
CREATE TABLE IF NOT EXISTS marketing_events (
id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
idempotency_key VARCHAR(64) UNIQUE NOT NULL,
type VARCHAR(32) NOT NULL CHECK (type IN ('LEAD_CAPTURE', 'CONTENT_PUBLISH', 'CAMPAIGN_TRIGGER')),
payload JSONB NOT NULL DEFAULT '{}',
source VARCHAR(64) NOT NULL,
fingerprint VARCHAR(16),
status VARCHAR(16) NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')),
retry_count INT DEFAULT 0,
last_error TEXT,
scheduled_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX idx_events_status_scheduled ON marketing_events(status, scheduled_at);
CREATE INDEX idx_events_idempotency ON marketing_events(idempotency_key);

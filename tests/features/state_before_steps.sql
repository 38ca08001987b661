-- The state as the first versions of campaign-pulse made it, before the ledger had ranges and before there were keys.
CREATE TABLE promotions (
	id INTEGER NOT NULL,
	at VARCHAR NOT NULL,
	who VARCHAR NOT NULL,
	why VARCHAR NOT NULL,
	action VARCHAR NOT NULL,
	version_from VARCHAR,
	version_to VARCHAR NOT NULL,
	verdict VARCHAR NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE score_ledger (
	id INTEGER NOT NULL,
	account_id VARCHAR NOT NULL,
	as_of VARCHAR NOT NULL,
	risk_30 DOUBLE NOT NULL,
	risk_60 DOUBLE NOT NULL,
	risk_90 DOUBLE NOT NULL,
	risk_180 DOUBLE NOT NULL,
	health DOUBLE NOT NULL,
	band VARCHAR NOT NULL,
	grade VARCHAR NOT NULL,
	phase VARCHAR NOT NULL,
	base_points DOUBLE NOT NULL,
	points_engagement DOUBLE NOT NULL,
	points_campaign DOUBLE NOT NULL,
	points_output_quality DOUBLE NOT NULL,
	points_financial DOUBLE NOT NULL,
	points_sentiment DOUBLE NOT NULL,
	points_market DOUBLE NOT NULL,
	points_context DOUBLE NOT NULL,
	clip_adjust DOUBLE NOT NULL,
	shrink_adjust DOUBLE NOT NULL,
	model_version VARCHAR NOT NULL,
	features_hash VARCHAR NOT NULL,
	account_name VARCHAR,
	segment VARCHAR,
	csm_owner_id VARCHAR,
	annual_value DOUBLE,
	currency VARCHAR,
	cohort_status VARCHAR,
	decision_on VARCHAR,
	campaigns_live VARCHAR,
	value_at_risk DOUBLE NOT NULL,
	data_watermark VARCHAR,
	channel VARCHAR NOT NULL,
	scored_at VARCHAR NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (account_id, as_of, model_version, features_hash)
);
CREATE TABLE score_ledger_details (
	entry_id INTEGER NOT NULL,
	explanation BLOB NOT NULL,
	catalogue_hash VARCHAR NOT NULL,
	features BLOB NOT NULL,
	PRIMARY KEY (entry_id),
	FOREIGN KEY(entry_id) REFERENCES score_ledger (id),
	FOREIGN KEY(catalogue_hash) REFERENCES score_ledger_features (catalogue_hash)
);
CREATE TABLE score_ledger_features (
	catalogue_hash VARCHAR NOT NULL,
	names VARCHAR NOT NULL,
	PRIMARY KEY (catalogue_hash)
);
CREATE TRIGGER promotions_no_UPDATE BEFORE UPDATE ON promotions
BEGIN SELECT RAISE(ABORT, 'the promotion log is append-only'); END;
CREATE TRIGGER promotions_no_DELETE BEFORE DELETE ON promotions
BEGIN SELECT RAISE(ABORT, 'the promotion log is append-only'); END;
CREATE INDEX score_ledger_by_channel ON score_ledger (channel, as_of);
CREATE INDEX score_ledger_by_as_of ON score_ledger (as_of, account_id, id);
CREATE TRIGGER score_ledger_no_UPDATE BEFORE UPDATE ON score_ledger
BEGIN SELECT RAISE(ABORT, 'the score ledger is append-only'); END;
CREATE TRIGGER score_ledger_no_DELETE BEFORE DELETE ON score_ledger
BEGIN SELECT RAISE(ABORT, 'the score ledger is append-only'); END;
CREATE TRIGGER score_ledger_details_no_UPDATE BEFORE UPDATE ON score_ledger_details
BEGIN SELECT RAISE(ABORT, 'the score ledger is append-only'); END;
CREATE TRIGGER score_ledger_details_no_DELETE BEFORE DELETE ON score_ledger_details
BEGIN SELECT RAISE(ABORT, 'the score ledger is append-only'); END;
CREATE TRIGGER score_ledger_features_no_UPDATE BEFORE UPDATE ON score_ledger_features
BEGIN SELECT RAISE(ABORT, 'the score ledger is append-only'); END;
CREATE TRIGGER score_ledger_features_no_DELETE BEFORE DELETE ON score_ledger_features
BEGIN SELECT RAISE(ABORT, 'the score ledger is append-only'); END;
INSERT INTO promotions VALUES (1, '2025-01-06T09:00:00+00:00', 'ada', 'first model', 'promote', NULL, '1', '{"passed": true}');
INSERT INTO promotions VALUES (3, '2025-02-03T09:00:00+00:00', 'bo', 'better', 'promote', '1', '2', '{"passed": true}');
INSERT INTO score_ledger (id, account_id, as_of, risk_30, risk_60, risk_90, risk_180, health, band, grade,
phase, base_points, points_engagement, points_campaign, points_output_quality, points_financial,
points_sentiment, points_market, points_context, clip_adjust, shrink_adjust, model_version, features_hash,
account_name, segment, csm_owner_id, annual_value, currency, cohort_status, decision_on, campaigns_live,
value_at_risk, data_watermark, channel, scored_at) VALUES (7, 'account_id of then', 'as_of of then', 3.25,
4.25, 5.25, 6.25, 7.25, 'band of then', 'grade of then', 'phase of then', 11.25, 12.25, 13.25, 14.25, 15.25,
16.25, 17.25, 18.25, 19.25, 20.25, 'model_version of then', 'features_hash of then', 'account_name of then',
'segment of then', 'csm_owner_id of then', 26.25, 'currency of then', 'cohort_status of then', 'decision_on of
then', 'campaigns_live of then', 31.25, 'data_watermark of then', 'channel of then', 'scored_at of then');

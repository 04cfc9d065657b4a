-- name: crashes
-- Which batches ended a process of this stage.
SELECT topic, partition, first_offset, last_offset, traceback_sha256 FROM stage_crashes WHERE stage = %(stage)s ORDER BY at

-- name: record_crash
-- Remembered for the next start.
INSERT INTO stage_crashes (stage, topic, partition, first_offset, last_offset, traceback_sha256, at)
VALUES (%(stage)s, %(topic)s, %(partition)s, %(first)s, %(last)s, %(traceback)s, %(at)s)

-- name: open_fuses
-- Partitions that stand still until somebody closes the fuse.
SELECT topic, partition FROM fuses WHERE stage = %(stage)s

-- name: open_fuse
-- Survives a restart.
INSERT INTO fuses (stage, topic, partition, reason, opened_at)
VALUES (%(stage)s, %(topic)s, %(partition)s, %(reason)s, %(at)s)
ON CONFLICT (stage, topic, partition) DO NOTHING

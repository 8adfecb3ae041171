-- store/sql/chore.postgres.sql - how far the round of each chore is, or was.

-- row: chore (name text, mode int, started int, finished int, part int, last_seq int, part_end int, done int,
--     total int, steps int, found int, result text)

-- fragment: chore_columns
name, mode, started, finished, part, last_seq, part_end, done, total, steps, found, result

-- name: chore_get (name text) -> chore
SELECT {chore_columns} FROM chores WHERE name = $1;

-- name: chore_set (chore)
INSERT INTO chores({chore_columns})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (name) DO UPDATE
SET mode = $2, started = $3, finished = $4, part = $5, last_seq = $6, part_end = $7, done = $8, total = $9,
    steps = $10, found = $11, result = $12;

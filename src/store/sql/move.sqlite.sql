-- store/sql/move.sqlite.sql - an embedded store moves into one on PostgreSQL (store/move.c): what is read of it. A
-- statement below is made for each table of tables.def that its line `each` means. A read gives so many rows behind a
-- place, and those that are there already are left alone, so that a batch may be written twice.

-- name: move_read_{table} (after int, within int, most int) -> {table}
-- each: moved by one
-- only here: it is read of the source
SELECT {columns} FROM {table} WHERE {key} > ?1 ORDER BY {key} LIMIT ?3;

-- name: move_read_{table} (after int, within int, most int) -> {table}
-- each: moved by pair
-- only here: it is read of the source
SELECT {columns} FROM {table} WHERE ({key}) > (?1, ?2) ORDER BY {key} LIMIT ?3;

-- name: move_read_{table} (after int, within int, most int) -> {table}
-- each: moved whole
-- only here: it is read of the source
-- Few rows without a number to go by: the place is how many were read.
SELECT {columns} FROM {table} ORDER BY {key} LIMIT ?3 OFFSET ?1;

-- name: move_count_{table} (upto int) -> rows int
-- each: moved by one, moved by pair
SELECT count(*) FROM {table} WHERE {first} <= ?1;

-- name: move_count_{table} () -> rows int
-- each: moved whole
SELECT count(*) FROM {table};

-- name: move_last_{table} () -> last int
-- each: moved by one, moved by pair
-- only here: it is asked of the source
SELECT coalesce(max({first}), 0) FROM {table};

-- name: move_made () -> made text
-- only here: it is asked of the source
-- When the store was made: which store this is.
SELECT min(taken_at) || '' FROM schema_steps;

-- name: move_stamp_{table} () -> stamp text
-- each: stamped
-- only here: it is asked of the source
-- How the table stands. A source whose stamps have changed is another source.
SELECT {stamp} FROM {table};

// What a program written for the seed does with PostgreSQL, in Node with its own driver:
//
//     node seed_client.js URL '[{"idempotency_key":…,"type":…,"payload":…,"source":…}, …]' [commit|rollback|ask] [notify|silent]
//
// All events go in one transaction. The ids are printed as a JSON array, null
// where the key was there already, before the transaction ends: `ask` reads
// how it is to end, commit or rollback, from a line of standard input.
'use strict';

const crypto = require('crypto');
const path = require('path');
const readline = require('readline');

module.paths.push(path.resolve(__dirname, '../../build/node/node_modules'));
const { Client } = require('pg');

const INSERT =
    'INSERT INTO marketing_events (idempotency_key, type, payload, source, fingerprint) VALUES ($1, $2, $3, $4, $5) ' +
    'ON CONFLICT (idempotency_key) DO NOTHING RETURNING id';

function fingerprint(payload) {
    return crypto.createHash('sha256').update(JSON.stringify(payload)).digest('hex').slice(0, 16);
}

async function insert(client, event, notify) {
    const { rows } = await client.query(INSERT, [
        event.idempotency_key, event.type, JSON.stringify(event.payload), event.source, fingerprint(event.payload),
    ]);
    if (rows.length === 0) return null;
    if (notify) await client.query("SELECT pg_notify('marketing_events', $1)", [rows[0].id]);
    return rows[0].id;
}

async function firstLine(input) {
    for await (const line of readline.createInterface({ input })) return line.trim();
    return 'rollback';
}

async function main(url, events, ending = 'commit', news = 'notify') {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query('BEGIN');
    const ids = [];
    for (const event of JSON.parse(events)) ids.push(await insert(client, event, news === 'notify'));
    console.log(JSON.stringify(ids));
    const end = ending === 'ask' ? await firstLine(process.stdin) : ending;
    await client.query(end === 'commit' ? 'COMMIT' : 'ROLLBACK');
    await client.end();
}

main(...process.argv.slice(2)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
});

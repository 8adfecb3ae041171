// Runs deploy/edge/worker.js in workerd, as Cloudflare does, and does what the lines on stdin say:
//
//     node edge.js '{"bindings": {…}, "kv": true, "queue": true}'
//     {"path": "/v1/events", "method": "POST", "headers": {…}, "body": "…"}
//     {"timer": true}      the cron trigger
//     {"kept": "waiting/"} what is in KV
//
// Each gets a line of JSON in answer.
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');

module.paths.push(path.resolve(__dirname, '../../build/node/node_modules'));
const { Miniflare, Log, LogLevel } = require('miniflare');

const setup = JSON.parse(process.argv[2]);
const script = path.resolve(__dirname, '../../deploy/edge/worker.js');
const worker = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.js', contents: fs.readFileSync(script, 'utf8') }],
    compatibilityDate: '2024-09-23',
    bindings: setup.bindings,
    kvNamespaces: setup.kv ? ['KV'] : [],
    queueProducers: setup.queue ? { QUEUE: 'drumbeat' } : {},
    queueConsumers: setup.queue ? { drumbeat: { maxBatchSize: 5, maxBatchTimeout: 0.1, maxRetries: 100 } } : {},
    host: '127.0.0.1',
    log: new Log(LogLevel.ERROR),
});

async function act({ timer, kept, path: where, method, headers, body }) {
    if (timer) {
        await (await worker.getWorker()).scheduled();
        return {};
    }
    if (kept) {
        const kv = await worker.getKVNamespace('KV');
        const { keys } = await kv.list({ prefix: kept });
        return { kept: await Promise.all(keys.map(({ name }) => kv.get(name, 'json'))) };
    }
    const answer = await worker.dispatchFetch(`http://edge.example.com${where}`, { method, headers, body });
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
}

async function main() {
    await worker.ready;
    console.log('{"ready":true}');
    for await (const line of readline.createInterface({ input: process.stdin }))
        console.log(JSON.stringify(await act(JSON.parse(line))));
    await worker.dispose();
}
main().catch((error) => {
    console.error(error);
    process.exit(1);
});

// What the libraries for providers say of a request that drumbeat renders:
//
//     node providers.js resend '[{"mail": {…} | "mails": […], "key": "…"}, …]'
//     node providers.js discord '[{"type": "message" | "webhook", "body": {…}}, …]'
//
// The first prints the requests that Resend's own library makes of such calls, as a JSON array. The second prints, for
// each body, what TypeScript finds wrong with it under the types of Discord's API, and where such a body goes.
'use strict';

const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');

const packages = path.resolve(__dirname, '../../build/node/node_modules');
module.paths.push(packages);

async function resend(calls) {
    const requests = [];
    const server = http.createServer((request, response) => {
        let body = '';
        request.on('data', (part) => { body += part; });
        request.on('end', () => {
            requests.push({ method: request.method, path: request.url, headers: request.headers, body: JSON.parse(body) });
            response.setHeader('Content-Type', 'application/json');
            response.end('{"id": "1", "data": []}');
        });
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    process.env.RESEND_BASE_URL = `http://127.0.0.1:${server.address().port}`;
    const { Resend } = require('resend');
    const client = new Resend('token');
    for (const { mail, mails, key } of calls) {
        const { error } = mails
            ? await client.batch.send(mails, { idempotencyKey: key, batchValidation: 'permissive' })
            : await client.emails.send(mail, { idempotencyKey: key });
        if (error) throw new Error(JSON.stringify(error));
    }
    server.close();
    server.closeAllConnections();
    return requests;
}

const discordTypes = {
    message: { type: 'RESTPostAPIChannelMessageJSONBody', route: (routes) => routes.channelMessages('42') },
    webhook: { type: 'RESTPostAPIWebhookWithTokenJSONBody', route: (routes) => routes.webhook('123', 'secretToken') },
};

// In a body an enum stands as its value.
const wire = 'type Wire<T> = T extends string ? `${T}`\n'
    + '    : T extends number ? (`${T}` extends `${infer N extends number}` ? N : never)\n'
    + '    : T extends object ? { [K in keyof T]: Wire<T[K]> } : T;\n';

function discord(bodies) {
    const ts = require('typescript');
    const { Routes, RouteBases } = require('discord-api-types/v10');
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'providers-'));
    const files = bodies.map(({ type, body }, at) => {
        const file = path.join(folder, `${at}.ts`);
        const { type: name } = discordTypes[type];
        fs.writeFileSync(file, `import type { ${name} } from 'discord-api-types/v10';\n${wire}`
            + `export const body: Wire<${name}> = ${JSON.stringify(body)};\n`);
        return file;
    });
    const program = ts.createProgram(files, {
        strict: true, noEmit: true, skipLibCheck: true, exactOptionalPropertyTypes: true, types: [],
        module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022,
        baseUrl: folder, paths: { 'discord-api-types/v10': [path.join(packages, 'discord-api-types/v10.d.ts')] },
    });
    const found = files.map((file, at) => ({
        url: RouteBases.api + discordTypes[bodies[at].type].route(Routes),
        wrong: [...program.getSyntacticDiagnostics(program.getSourceFile(file)),
            ...program.getSemanticDiagnostics(program.getSourceFile(file))]
            .map((one) => ts.flattenDiagnosticMessageText(one.messageText, ' ')),
    }));
    fs.rmSync(folder, { recursive: true });
    return found;
}

async function main() {
    const [name, text] = process.argv.slice(2);
    process.stdout.write(JSON.stringify(await { resend, discord }[name](JSON.parse(text))));
}

main();

// A server of Bluesky's accounts (a PDS) with one account, and the directory of names that it needs, on loopback:
//
//     node pds.js FOLDER PORT
//
// Prints one line of JSON when it is up, with the account's handle and an app password, and ends with its stdin.
'use strict';

const crypto = require('crypto');
const path = require('path');

module.paths.push(path.resolve(__dirname, '../../build/node/node_modules'));
const { PDS, envToCfg, envToSecrets } = require('@atproto/pds');
const { PlcServer, Database } = require('@did-plc/server');

const [, , folder, port] = process.argv;
const secret = (bytes) => crypto.randomBytes(bytes).toString('hex');

async function call(method, body, token) {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(`http://localhost:${port}/xrpc/${method}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const said = await answer.json();
    if (!answer.ok) throw new Error(`${method}: ${JSON.stringify(said)}`);
    return said;
}

async function main() {
    const names = PlcServer.create({ db: Database.mock(), port: 0 });
    const listener = await names.start();
    const env = {
        port: Number(port), hostname: 'localhost', devMode: true, inviteRequired: false, disableSsrfProtection: true,
        dataDirectory: folder, blobstoreDiskLocation: path.join(folder, 'blobs'),
        didPlcUrl: `http://localhost:${listener.address().port}`, serviceHandleDomains: ['.test'],
        jwtSecret: secret(16), dpopSecret: secret(32), adminPassword: secret(16), plcRotationKeyK256PrivateKeyHex: secret(32),
        trustedOAuthClients: [], handleBackupNameservers: [], rateLimitBypassIps: [], crawlers: [],
    };
    const server = await PDS.create(envToCfg(env), envToSecrets(env));
    await server.start();
    const account = { handle: 'vesna.test', email: 'vesna@example.com', password: secret(8) };
    const { accessJwt } = await call('com.atproto.server.createAccount', account);
    const { password } = await call('com.atproto.server.createAppPassword', { name: 'drumbeat' }, accessJwt);
    console.log(JSON.stringify({ handle: account.handle, password }));
    process.stdin.on('end', () => process.exit(0)).resume();
}
main().catch((error) => {
    console.error(error);
    process.exit(1);
});

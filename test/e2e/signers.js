// Signs and verifies with the libraries that senders of webhooks give out:
//
//     node signers.js '[{"with": "stripe", …}, …]'
//
// prints what each came to, as a JSON array: headers of a request, or whether
// a signature is right.
'use strict';

const crypto = require('crypto');
const path = require('path');

const packages = path.resolve(__dirname, '../../build/node/node_modules');
module.paths.push(packages);

const works = {
    stripe({ secret, body, at_s }) {
        const stripe = require('stripe');
        return { 'Stripe-Signature': stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: at_s }) };
    },

    async github({ secret, body }) {
        const { sign } = await import(path.join(packages, '@octokit/webhooks-methods/dist-node/index.js'));
        return { 'X-Hub-Signature-256': await sign(secret, body) };
    },

    'standard-webhooks'({ secret, body, id, at_s }) {
        const { Webhook } = require('standardwebhooks');
        const signature = new Webhook(secret).sign(id, new Date(at_s * 1000), body);
        return { 'webhook-id': id, 'webhook-timestamp': String(at_s), 'webhook-signature': signature };
    },

    async svix({ secret, body, id, at_s }) {
        const { Webhook } = await import(path.join(packages, 'svix/dist/index.mjs'));
        const signature = new Webhook(secret).sign(id, new Date(at_s * 1000), body);
        return { 'svix-id': id, 'svix-timestamp': String(at_s), 'svix-signature': signature };
    },

    twilio({ secret, url, fields }) {
        const { getExpectedTwilioSignature } = require('twilio/lib/webhooks/webhooks');
        return { 'X-Twilio-Signature': getExpectedTwilioSignature(secret, url, fields) };
    },

    'twilio-digest'({ body }) {
        return require('twilio/lib/webhooks/webhooks').getExpectedBodyHash(body);
    },

    // SendGrid's library only verifies, so Node signs, and the library must agree.
    sendgrid({ body, at_s }) {
        const { EventWebhook } = require('@sendgrid/eventwebhook');
        const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
        const signature = crypto.sign('sha256', Buffer.from(at_s + body), privateKey).toString('base64');
        const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
        const webhook = new EventWebhook();
        if (!webhook.verifySignature(webhook.convertPublicKeyToECDSA(key), body, signature, String(at_s)))
            throw new Error('the library does not agree');
        return {
            key,
            'X-Twilio-Email-Event-Webhook-Signature': signature,
            'X-Twilio-Email-Event-Webhook-Timestamp': String(at_s),
        };
    },

    // Amazon's own key is Amazon's, so Node signs as its pages say, and two validators must agree.
    async sns({ message, version, key, certificate }) {
        const subscribes = message.Type !== 'Notification';
        const names = subscribes
            ? ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']
            : ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'];
        const lines = names.filter((name) => name in message).map((name) => `${name}\n${message[name]}\n`).join('');
        const signature = crypto.sign(version === '1' ? 'sha1' : 'sha256', Buffer.from(lines), key).toString('base64');
        const body = JSON.stringify({ ...message, SignatureVersion: version, Signature: signature });
        const verdicts = await works['sns-verify']({ body, certificate });
        if (verdicts.includes(false)) throw new Error(`the validators do not agree: ${verdicts}`);
        return body;
    },

    // What the two say, without a network: each gets this certificate, whatever it asks for.
    async 'sns-verify'({ body, certificate }) {
        const https = require('https');
        const { EventEmitter } = require('events');
        const get = https.get;
        https.get = (url, ...more) => {
            const answer = Object.assign(new EventEmitter(), { statusCode: 200 });
            setImmediate(() => {
                more[more.length - 1](answer);
                answer.emit('data', Buffer.from(certificate));
                answer.emit('end');
            });
            return new EventEmitter();
        };
        try {
            const Payloads = require('sns-payload-validator');
            const one = await new Payloads({ useCache: false }).validate(JSON.parse(body)).then(() => true, () => false);
            if (JSON.parse(body).Type === 'UnsubscribeConfirmation') return [one]; // the other leaves its Token out
            const Messages = require('sns-validator');
            const other = await new Promise((done) => new Messages().validate(body, (error) => done(!error)));
            return [one, other];
        } finally {
            https.get = get;
        }
    },

    ed25519({ body, id, at_s }) {
        const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
        const signature = crypto.sign(null, Buffer.from(`${id}.${at_s}.${body}`), privateKey).toString('base64');
        const key = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
        return {
            key,
            'webhook-id': id,
            'webhook-timestamp': String(at_s),
            'webhook-signature': `v1,AAAA v1a,${signature}`,
        };
    },

    // What the service would work out from the same request.
    aws({ method, host, path, headers, body, region, service, key, secret }) {
        const request = { method, host, path, headers, body, region, service, extraHeadersToIgnore: { 'content-length': true } };
        return require('aws4').sign(request, { accessKeyId: key, secretAccessKey: secret }).headers.Authorization;
    },

    oauth1({ method, url, data, keys, nonce, at_s }) {
        const OAuth = require('oauth-1.0a');
        const oauth = OAuth({
            consumer: { key: keys.consumer_key, secret: keys.consumer_secret },
            signature_method: 'HMAC-SHA1',
            hash_function: (text, key) => crypto.createHmac('sha1', key).update(text).digest('base64'),
        });
        oauth.getNonce = () => nonce;
        oauth.getTimeStamp = () => at_s;
        return oauth.authorize({ method, url, data }, { key: keys.token, secret: keys.token_secret }).oauth_signature;
    },

    verify({ secret, body, headers }) {
        const { Webhook } = require('standardwebhooks');
        try {
            new Webhook(secret).verify(body, headers);
            return true;
        } catch (error) {
            return String(error);
        }
    },
};

async function main(jobs) {
    const results = [];
    for (const job of jobs) results.push(await works[job.with](job));
    process.stdout.write(JSON.stringify(results));
}

main(JSON.parse(process.argv[2]));

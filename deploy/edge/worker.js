// A Cloudflare Worker in front of drumbeat: events reach it at the edge, and wait there while drumbeat is away.
//
// PROMISE: an answer of 200 is drumbeat's own. While drumbeat does not answer, what was verified here is kept in a queue
// or in KV, and answered 202 only once it is kept; it is sent again until drumbeat has it, under the same idempotency key,
// so that a try whose answer was lost makes no second event. What can be neither delivered nor kept is 503.
//
// WHAT IS VERIFIED: for POST /v1/events the API key, by its SHA-256 (INGEST_KEYS); for POST /in/SOURCE the signature, for
// the sources that SOURCES names. A source that is not named there is passed on for drumbeat to verify, and never kept.
// Calls to drumbeat carry a key of the worker's own, so no caller's key is kept.
//
// Bindings: ORIGIN (https://…), DRUMBEAT_KEY (role ingest), INGEST_KEYS (SHA-256 in hex, divided by commas), SOURCES (JSON:
// {"stripe": {"type": "stripe", "secret": "whsec_…"}}; optional), QUEUE and KV (each optional). docs/edge.md has the rest.

const MOST_BYTES = 8 * 1024 * 1024; // as server.max_body
const QUEUE_BYTES = 96 * 1024; // a message of a queue has at most 128 KB
const ANSWER_MS = 20_000;
const TOLERANCE_S = 300; // how old a signed timestamp may be
const RUN_MOST = 200; // kept requests that one run of the timer sends
const RETRY_S = [10, 30, 60, 300, 900];
const DROPPED = /^(authorization|host|connection|content-length|transfer-encoding|x-forwarded-.*|x-real-ip|cf-.*)$/;

const text = new TextEncoder();

// ---- what is said ----

function problem(status, title, detail, headers = {}) {
    return new Response(JSON.stringify({ type: 'about:blank', title, status, detail }) + '\n', {
        status,
        headers: { 'Content-Type': 'application/problem+json', ...headers },
    });
}

const away = () =>
    problem(503, 'drumbeat does not answer', 'nothing was kept: send it again later', { 'Retry-After': '30' });

// ---- who it is from ----

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

// Takes as long for the wrong as for the right, whatever their first difference is.
function same(a, b) {
    const one = text.encode(a), other = text.encode(b);
    let differs = one.length ^ other.length;
    for (let i = 0; i < one.length; i++) differs |= one[i] ^ other[i % (other.length || 1)];
    return differs === 0;
}

async function hmac(key, ...parts) {
    const made = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const bytes = parts.map((part) => (typeof part === 'string' ? text.encode(part) : new Uint8Array(part)));
    const all = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of bytes) {
        all.set(part, at);
        at += part.length;
    }
    return crypto.subtle.sign('HMAC', made, all);
}

const fresh = (seconds) => Math.abs(Date.now() / 1000 - Number(seconds)) <= TOLERANCE_S;

// One for each kind of source: whether the request was signed with the secret.
const signatures = {
    async stripe(headers, body, secret) {
        const parts = (headers.get('Stripe-Signature') || '').split(',').map((part) => part.split('='));
        const at = (parts.find(([name]) => name === 't') || [])[1];
        const wanted = hex(await hmac(text.encode(secret), `${at}.`, body));
        return fresh(at) && parts.some(([name, value]) => name === 'v1' && same(value || '', wanted));
    },
    async github(headers, body, secret) {
        return same(headers.get('X-Hub-Signature-256') || '', `sha256=${hex(await hmac(text.encode(secret), body))}`);
    },
    async shopify(headers, body, secret) {
        return same(headers.get('X-Shopify-Hmac-Sha256') || '', base64(await hmac(text.encode(secret), body)));
    },
    async 'standard-webhooks'(headers, body, secret) {
        const id = headers.get('webhook-id'), at = headers.get('webhook-timestamp');
        const key = Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (letter) => letter.charCodeAt(0));
        const wanted = `v1,${base64(await hmac(key, `${id}.${at}.`, body))}`;
        return fresh(at) && (headers.get('webhook-signature') || '').split(' ').some((one) => same(one, wanted));
    },
};

async function has_key(request, env) {
    const given = /^Bearer +(\S+)$/.exec(request.headers.get('Authorization') || '');
    if (!given) return false;
    const digest = hex(await crypto.subtle.digest('SHA-256', text.encode(given[1])));
    return (env.INGEST_KEYS || '').split(',').some((known) => same(digest, known.trim().toLowerCase()));
}

// ---- one key for one fact ----

// Whether each event of the body names itself. A body that is no JSON is drumbeat's to refuse.
function names_itself(body, type) {
    try {
        const words = new TextDecoder().decode(body);
        const events = type.includes('ndjson') ? words.split('\n').filter(Boolean).map(JSON.parse) : JSON.parse(words);
        if (Array.isArray(events)) return events.every((event) => typeof event.idempotency_key === 'string');
        return typeof events.idempotency_key === 'string';
    } catch {
        return null;
    }
}

const is_batch = (body, type) =>
    type.includes('ndjson') || new TextDecoder().decode(body.slice(0, 64)).trimStart().startsWith('[');

// ---- the way to drumbeat ----

// What is sent, and sent again: the body as it came, and the headers that matter.
function call_of(request, url, body) {
    const headers = {};
    for (const [name, value] of request.headers) if (!DROPPED.test(name)) headers[name] = value;
    const address = request.headers.get('CF-Connecting-IP');
    if (address) headers['x-forwarded-for'] = address;
    return { method: request.method, path: url.pathname + url.search, headers, body };
}

// drumbeat's answer; null when there is none, or one that says that it cannot take anything at the moment.
async function forward(call, env) {
    const headers = { ...call.headers };
    if (call.path.startsWith('/v1/')) headers.authorization = `Bearer ${env.DRUMBEAT_KEY}`;
    try {
        const answer = await fetch(env.ORIGIN + call.path, {
            method: call.method,
            headers,
            body: call.method === 'GET' ? undefined : call.body,
            redirect: 'manual',
            signal: AbortSignal.timeout(ANSWER_MS),
        });
        const said = await answer.arrayBuffer(); // whole, or it is none
        if (answer.status >= 502 || answer.status === 530) return null;
        return new Response([204, 304].includes(answer.status) ? null : said, answer);
    } catch (error) {
        console.warn(`drumbeat does not answer: ${error.message}`);
        return null;
    }
}

// ---- waiting ----

const packed = (call) => ({ ...call, body: base64_of(call.body), kept_at: new Date().toISOString() });
const unpacked = (kept) => ({ ...kept, body: Uint8Array.from(atob(kept.body), (letter) => letter.charCodeAt(0)) });

function base64_of(body) {
    const bytes = new Uint8Array(body);
    let letters = '';
    for (let i = 0; i < bytes.length; i += 0x8000) letters += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    return btoa(letters);
}

async function keep(call, env) {
    const kept = packed(call);
    if (env.QUEUE && kept.body.length <= QUEUE_BYTES) return env.QUEUE.send(kept).then(() => true);
    if (!env.KV) return false;
    // In the order of their time, which is the order in which they are sent.
    await env.KV.put(`waiting/${kept.kept_at}/${crypto.randomUUID()}`, JSON.stringify(kept));
    return true;
}

// One that drumbeat refused for good stays where a person finds it.
async function put_aside(kept, answer, env) {
    console.error(`refused with ${answer.status}: ${kept.path} of ${kept.kept_at}`);
    if (!env.KV) return;
    const refused = { ...kept, status: answer.status, said: (await answer.text()).slice(0, 2000) };
    await env.KV.put(`refused/${kept.kept_at}/${crypto.randomUUID()}`, JSON.stringify(refused));
}

// True when it is out of the way: taken, or refused for good. 429 and 401 pass; the request is not at fault.
async function send_again(kept, env) {
    const answer = await forward(unpacked(kept), env);
    if (!answer || answer.status === 429 || answer.status === 401 || answer.status === 403) return false;
    if (answer.status >= 400) await put_aside(kept, answer, env);
    return true;
}

// ---- doors ----

async function take(call, may_be_kept, env) {
    const answer = await forward(call, env);
    if (answer) return answer;
    try {
        if (may_be_kept && (await keep(call, env)))
            return new Response('{"success":true,"queued":true}\n', {
                status: 202,
                headers: { 'Content-Type': 'application/json', 'X-Event-Status': 'QUEUED' },
            });
    } catch (error) {
        console.error(`it could not be kept: ${error.message}`);
    }
    return away();
}

async function take_events(request, url, body, env) {
    if (!(await has_key(request, env))) return problem(401, 'a valid API key is needed', 'Authorization: Bearer and a key');
    const call = call_of(request, url, body), type = request.headers.get('Content-Type') || '';
    const named = request.headers.has('Idempotency-Key') ? true : names_itself(body, type);
    // An event without a name gets one here, the same in every try. A batch has names inside or none.
    if (named === false && !is_batch(body, type)) call.headers['idempotency-key'] = `edge-${crypto.randomUUID()}`;
    return take(call, named || (named === false && !is_batch(body, type)), env);
}

async function take_webhook(request, url, body, env) {
    const source = JSON.parse(env.SOURCES || '{}')[url.pathname.slice('/in/'.length)];
    const check = source && signatures[source.type];
    if (source && !check) return problem(500, 'the worker is set up wrongly', `SOURCES: there is no type ${source.type}`);
    if (check && !(await check(request.headers, body, source.secret)))
        return problem(401, 'the signature does not fit', 'compare the secret with the one that the sender has');
    return take(call_of(request, url, body), Boolean(check), env);
}

async function serve(request, env) {
    const url = new URL(request.url), is_source = /^\/in\/[a-z][a-z0-9-]*$/.test(url.pathname);
    if (is_source && request.method === 'GET') return (await forward(call_of(request, url), env)) || away();
    if (url.pathname !== '/v1/events' && !is_source) return problem(404, 'there is nothing here', 'POST /v1/events, /in/SOURCE');
    if (request.method !== 'POST') return problem(405, 'only POST', 'POST /v1/events, /in/SOURCE', { Allow: 'POST' });
    if (Number(request.headers.get('Content-Length')) > MOST_BYTES) return problem(413, 'too large', `${MOST_BYTES} bytes`);
    const body = await request.arrayBuffer();
    if (body.byteLength > MOST_BYTES) return problem(413, 'too large', `${MOST_BYTES} bytes`);
    return is_source ? take_webhook(request, url, body, env) : take_events(request, url, body, env);
}

export default {
    fetch: serve,

    // What waits in the queue. Each message stands for itself: one that is not taken holds up no other.
    async queue(batch, env) {
        for (const message of batch.messages) {
            if (await send_again(message.body, env)) message.ack();
            else message.retry({ delaySeconds: RETRY_S[Math.min(message.attempts - 1, RETRY_S.length - 1)] });
        }
    },

    // What waits in KV, oldest first. While drumbeat is away the first one that is not taken ends the run.
    async scheduled(controller, env) {
        if (!env.KV) return;
        const { keys } = await env.KV.list({ prefix: 'waiting/', limit: RUN_MOST });
        for (const { name } of keys) {
            const kept = await env.KV.get(name, 'json');
            if (kept && !(await send_again(kept, env))) return;
            await env.KV.delete(name); // one that is sent again all the same is a duplicate to drumbeat
        }
    },
};

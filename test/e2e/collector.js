// A collector as Node's own http2 and http modules speak: collector.js grpc|http. Prints its port, then a line of JSON for
// each message: path, headers, body in base64. A line on stdin says how the next ones are answered.
'use strict';

const kind = process.argv[2];
let how = 'take';

function tell(path, headers, body) {
  const names = Object.fromEntries(Object.entries(headers).filter(([name]) => typeof name === 'string'));
  process.stdout.write(JSON.stringify({path, headers: names, body: body.toString('base64'), how}) + '\n');
}

function frame(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function answerGrpc(stream) {
  if (how === 'silent') return;
  if (how === 'nonsense') {
    stream.respond({':status': 200, 'content-type': 'text/html'});
    return stream.end('<html>');
  }
  const status = how === 'unavailable' ? '14' : how === 'refuse' ? '3' : '0';
  stream.respond({':status': 200, 'content-type': 'application/grpc'}, {waitForTrailers: true});
  stream.on('wantTrailers', () => stream.sendTrailers({'grpc-status': status, 'grpc-message': how}));
  stream.end(status === '0' ? frame(Buffer.alloc(0)) : undefined);
}

function answerHttp(response) {
  if (how === 'silent') return;
  if (how === 'nonsense') return response.writeHead(200, {'content-type': 'text/html'}).end('<html>');
  if (how === 'unavailable') return response.writeHead(503).end();
  if (how === 'refuse') return response.writeHead(400).end();
  response.writeHead(200, {'content-type': 'application/x-protobuf'}).end();
}

let server;
if (kind === 'grpc') {
  server = require('http2').createServer();
  server.on('stream', (stream, headers) => {
    const parts = [];
    stream.on('error', () => {});
    stream.on('data', (part) => parts.push(part));
    stream.on('end', () => {
      tell(headers[':path'], headers, Buffer.concat(parts));
      answerGrpc(stream);
    });
  });
} else {
  server = require('http').createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      tell(request.url, request.headers, Buffer.concat(parts));
      answerHttp(response);
    });
  });
}
server.listen(0, '127.0.0.1', () => process.stdout.write(JSON.stringify({port: server.address().port}) + '\n'));
require('readline').createInterface({input: process.stdin}).on('line', (line) => {
  how = line;
}).on('close', () => process.exit(0));

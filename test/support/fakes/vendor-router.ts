import { request as sendRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { startVendorServer, type VendorServer } from './vendor-server.js';

/** One leg's fake, and the requests that are for it. */
export interface VendorRoute {
  readonly takes: (url: URL) => boolean;
  readonly fake: VendorServer;
}

/** A request as it came, up to its body. */
const headOf = ({ method = 'GET', url = '/', rawHeaders }: IncomingMessage): string => {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1] ?? ''}`] : []));
  return [`${method} ${url} HTTP/1.1`, ...lines, '', ''].join('\r\n');
};

/** Joins two connections; the end of either is the end of both. */
function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  for (const [socket, peer] of [[one, other], [other, one]] as const) {
    socket.on('error', () => peer.destroy());
    socket.on('close', () => peer.destroy());
  }
}

/** Serves a vendor that has one address for all of its legs: hands each request on to the first route that takes it. */
export function startVendorRouter(routes: readonly VendorRoute[]): Promise<VendorServer> {
  const portFor = ({ url = '/' }: IncomingMessage) => routes.find(({ takes }) => takes(new URL(url, 'http://fake')))?.fake.port;
  return startVendorServer({
    onRequest(request, response) {
      const port = portFor(request);
      if (port === undefined) return void response.writeHead(404).end();
      const { method, url, headers } = request;
      const onward = sendRequest({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      });
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
      request.pipe(onward);
    },
    onUpgrade(request) {
      const port = portFor(request);
      if (port === undefined) return { kind: 'http', status: 404 };
      const onward = connect(port, '127.0.0.1', () => onward.write(headOf(request)));
      join(request.socket, onward);
      return { kind: 'taken' };
    },
  });
}

import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { errorText } from './error-text.js';
import { note, ok, problem, skipped, type Check, type DoctorContext, type Finding } from './finding.js';
import { probe } from './probe.js';

const run = promisify(execFile);
const programTimeoutMs = 5000;

/** Node.js at the version the package asks for. */
export const nodeCheck: Check = {
  title: 'Node.js',
  async run() {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    const isNewEnough = major > 20 || (major === 20 && minor >= 19);
    return [isNewEnough ? ok(process.version) : problem(`${process.version} is too old`, 'Install Node.js 20.19 or newer.')];
  },
};

/** The data directory, or the nearest folder above it that exists, can be written. */
export const dataDirectoryCheck: Check = {
  title: 'Data directory',
  async run({ config }) {
    if (config === null) return [skipped('needs a valid configuration')];
    const path = resolve(config.dataDir);
    const existing = nearestExisting(path);
    try {
      accessSync(existing, constants.W_OK | constants.X_OK);
    } catch (error) {
      return [problem(`${existing} cannot be written (${errorText(error)})`, 'Change its owner, or name another one in AGENT_STREAM_DATA_DIR.')];
    }
    if (existing !== path) return [ok(`${path} will be created`)];
    if (!statSync(path).isDirectory()) return [problem(`${path} is not a directory`, 'Name a directory in AGENT_STREAM_DATA_DIR.')];
    return [ok(`${path} is writable`)];
  },
};

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}

/** A server answers at the address, or its port is free. */
export const portCheck: Check = {
  title: 'Server',
  async run(context) {
    const health = await probe(context, `${context.serverUrl}/healthz`);
    if (health.type === 'answer' && health.status === 200) return [ok(`answers at ${context.serverUrl}`)];
    if (context.config === null) return [skipped('needs a valid configuration')];
    const { host, port } = context.config;
    if (health.type === 'answer') {
      return [problem(`another program answers at ${context.serverUrl} (${health.status})`, 'Stop it, or choose another PORT.')];
    }
    if (port === 0) return [ok('not running; a free port will be chosen')];
    return [await describePort(host, port)];
  },
};

function describePort(host: string, port: number): Promise<Finding> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', (error) => done(problem(`port ${port} of ${host} cannot be taken (${errorText(error)})`, 'Stop what holds it, or choose another PORT.')));
    server.listen(port, host, () => {
      server.close(() => done(ok(`not running; port ${port} of ${host} is free`)));
    });
  });
}

/** The voice of the builtin vendor. */
export const espeakCheck: Check = {
  title: 'Builtin voice',
  async run({ signal }) {
    try {
      const { stdout } = await run('espeak-ng', ['--version'], { timeout: programTimeoutMs, signal });
      return [ok(stdout.split(/\s+Data at/)[0]?.trim() ?? 'espeak-ng')];
    } catch (error) {
      const cure = 'Install espeak-ng (apt-get install espeak-ng, brew install espeak-ng) for a clearer simulated voice.';
      return [note(`espeak-ng does not run (${errorText(error)}); the bundled fallback voice is used`, cure)];
    }
  },
};

/** Time-outs, leases and key expiry need a clock that is right to some seconds. */
export function createClockCheck(referenceUrl: (context: DoctorContext) => string): Check {
  return {
    title: 'Clock',
    async run(context) {
      const answer = await probe(context, referenceUrl(context));
      const date = answer.type === 'answer' ? Date.parse(answer.date ?? '') : Number.NaN;
      if (Number.isNaN(date)) return [skipped(`no time to compare with: ${new URL(referenceUrl(context)).host} did not tell one`)];
      const offsetSeconds = Math.round((context.clock.wallMs() - date) / 1000);
      const text = `${Math.abs(offsetSeconds)} s ${offsetSeconds < 0 ? 'behind' : 'ahead of'} ${new URL(referenceUrl(context)).host}`;
      return [Math.abs(offsetSeconds) <= maxClockOffsetSeconds ? ok(text) : problem(text, 'Synchronise the clock (chrony, systemd-timesyncd).')];
    },
  };
}

const maxClockOffsetSeconds = 30;

// What bin/agent-stream.js does after it has looked whether a build is needed: that belongs before a run, not into it.
import { main } from '../dist/cli/main.js';

process.exitCode = await main(['serve']);

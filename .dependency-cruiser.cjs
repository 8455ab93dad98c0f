// The layers of ARCHITECTURE.md as rules. Tests may import anything; the code below src/ may not.
const tests = '\\.test\\.ts$';

/** `from` may not import `to` (both regular expressions over paths). */
const forbid = (name, comment, from, to) => ({ name, severity: 'error', comment, from: { pathNot: tests, ...from }, to });

/** A layer may import itself, the layers named and packages; every other folder of src/ is out of reach. */
const layer = (name, allowed, options = {}) =>
  forbid(
    `layer-${name}`,
    `src/${name} may import only: ${[name, ...allowed].join(', ')}`,
    { path: `^src/${name}/`, ...options.from },
    { path: '^src/', pathNot: [`^src/${name}/`, ...allowed.map((folder) => `^src/${folder}`), ...(options.also ?? [])], ...options.to },
  );

/** Folders that hold one provider or vendor each; fallback and silero are neither. */
const providerFolder = '^src/telephony/([^/]+)/';
const vendorFolder = '^src/speech/(?!fallback/|silero/)([^/]+)/';

module.exports = {
  forbidden: [
    forbid('no-cycles', 'Modules that need each other are one module or need a third.', {}, { circular: true }),
    forbid('no-orphans', 'A module that nobody imports is dead.', { orphan: true, path: '^src/', pathNot: [tests, '\\.d\\.ts$'] }, {}),
    forbid('not-to-tests', 'Code does not depend on tests.', { path: '^src/' }, { path: ['^test/', tests] }),
    forbid('not-to-unresolvable', 'Every import resolves.', {}, { couldNotResolve: true }),
    forbid('not-to-dev-dependency', 'What runs in production is a dependency.', { path: '^src/' }, { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] }),

    layer('base', []),
    layer('audio', ['base/']),
    layer('telephony', ['base/', 'audio/']),
    layer('speech', ['base/', 'audio/']),
    layer('turn', ['base/']),
    layer('workflow', ['base/'], { also: ['^src/speech/(language-model|models)\\.ts$'] }),
    layer('knowledge', ['base/', 'store/store\\.ts$'], { also: ['^src/speech/embedding-model\\.ts$'] }),
    layer('runs', ['base/', 'store/store\\.ts$', 'audio/frame\\.ts$']),
    layer('store', ['base/', 'runs/(lifecycle|events)\\.ts$', 'config\\.ts$']),
    layer('after-call', ['base/', 'workflow/', 'runs/', 'store/store\\.ts$'], { also: ['^src/speech/(language-model|model-pass|work-meter)\\.ts$'] }),
    layer('call', ['base/', 'audio/', 'telephony/', 'speech/', 'turn/', 'workflow/', 'knowledge/', 'runs/', 'store/store\\.ts$', 'config\\.ts$']),
    layer('http', ['base/', 'audio/', 'telephony/', 'speech/', 'turn/', 'workflow/', 'knowledge/', 'runs/', 'store/store\\.ts$', 'after-call/', 'call/', 'config\\.ts$']),
    layer('simulator', ['base/', 'audio/', 'telephony/', 'speech/builtin/', 'speech/[^/]+\\.ts$']),
    forbid('config-is-a-leaf', 'The configuration knows nothing of what it configures.', { path: '^src/config\\.ts$' }, { path: '^src/', pathNot: '^src/base/' }),
    forbid(
      'workflow-takes-types-of-speech',
      'The engine is pure: of speech it knows shapes, not code.',
      { path: '^src/workflow/' },
      { path: '^src/speech/', dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'simulator-takes-types-of-telephony',
      'The simulated carrier has a wire format of its own, so that a fault on one side is not mirrored by the other.',
      { path: '^src/simulator/' },
      { path: '^src/telephony/', dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'simulator-takes-types-of-speech',
      'The simulated caller speaks and listens with the builtin voice; of the contracts it knows shapes.',
      { path: '^src/simulator/' },
      { path: '^src/speech/[^/]+\\.ts$', dependencyTypesNot: ['type-only'] },
    ),
    forbid('simulator-is-not-served', 'Only the command line and its tests play carrier.', { path: '^src/(?!simulator/|cli/)' }, { path: '^src/simulator/' }),

    forbid(
      'provider-behind-registry',
      'A telephony provider is imported by registry.ts alone.',
      { path: '^src/', pathNot: [tests, '^src/telephony/registry\\.ts$', providerFolder] },
      { path: providerFolder },
    ),
    forbid(
      'providers-apart',
      'Providers do not know each other.',
      { path: providerFolder },
      { path: providerFolder, pathNot: '^src/telephony/$1/' },
    ),
    forbid(
      'vendor-behind-registry',
      'A speech vendor is imported by registry.ts alone (the simulator speaks with the builtin voice).',
      { path: '^src/', pathNot: [tests, '^src/speech/registry\\.ts$', '^src/simulator/', vendorFolder] },
      { path: vendorFolder },
    ),
    forbid(
      'vendors-apart',
      'Vendors do not know each other; ai-sdk holds what those on the AI SDK share.',
      { path: vendorFolder },
      { path: vendorFolder, pathNot: ['^src/speech/$1/', '^src/speech/ai-sdk/'] },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ['exports'], extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};

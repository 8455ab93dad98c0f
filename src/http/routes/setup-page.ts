import type { FastifyPluginAsync } from 'fastify';

/** The token stands behind `#`: browsers send it to nobody, so that it reaches no log. */
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Set up Agent Stream</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --accent: #2456d6; --quiet: color-mix(in srgb, CanvasText 65%, Canvas); --line: color-mix(in srgb, CanvasText 22%, Canvas); }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0; padding: 8vh 1.25rem; display: grid; justify-items: center; }
  main { width: 100%; max-width: 30rem; }
  h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
  h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
  label { display: block; margin-top: 1.1rem; font-weight: 600; }
  input { font: inherit; width: 100%; box-sizing: border-box; padding: .55rem .7rem; margin-top: .3rem; border: 1px solid var(--line); border-radius: .4rem; background: Canvas; color: CanvasText; }
  button { font: inherit; font-weight: 600; padding: .6rem 1.1rem; border: 0; border-radius: .4rem; background: var(--accent); color: #fff; cursor: pointer; }
  form button { margin-top: 1.5rem; }
  button:disabled { opacity: .6; cursor: default; }
  input:focus-visible, button:focus-visible { outline: 3px solid color-mix(in srgb, var(--accent) 45%, transparent); outline-offset: 1px; }
  #key { display: block; overflow-wrap: anywhere; margin-bottom: .75rem; padding: .7rem .8rem; border: 1px solid var(--line); border-radius: .4rem; font-size: .95rem; user-select: all; }
  dl { margin: 0; }
  dt { font-family: ui-monospace, monospace; font-size: .9rem; overflow-wrap: anywhere; }
  dd { margin: 0 0 .6rem; color: var(--quiet); }
  [role=alert] { margin-top: 1rem; color: #b3261e; }
  @media (prefers-color-scheme: dark) { [role=alert] { color: #ff8a80; } }
</style>
</head>
<body>
<main>
  <h1 id="title">Set up Agent Stream</h1>
  <form id="form">
    <p>Names the organization that owns your agents and makes its first API key.</p>
    <label for="organization">Organization</label>
    <input id="organization" name="organization" required maxlength="100" autocomplete="organization">
    <label for="email">Your e-mail address</label>
    <input id="email" name="email" type="email" required maxlength="320" autocomplete="email">
    <button id="submit" disabled>Set up</button>
    <p id="problem" role="alert" hidden></p>
    <noscript><p role="alert">This page needs JavaScript. POST /api/v1/setup does the same.</p></noscript>
  </form>
  <section id="done" hidden>
    <p>This is your API key. It is shown only now: keep it somewhere safe.</p>
    <code id="key"></code>
    <button id="copy" type="button">Copy</button>
    <h2>Next, on the server’s machine</h2>
    <dl>
      <dt>npx agent-stream agents create --name Reception</dt>
      <dd>makes an agent and prints its UUID</dd>
      <dt>npx agent-stream agents stream-url UUID</dt>
      <dd>prints what to paste at the telephony provider</dd>
      <dt>npx agent-stream doctor</dt>
      <dd>says what is missing for a real call</dd>
    </dl>
    <p>Commands there have a key of their own; elsewhere set AGENT_STREAM_API_KEY.</p>
  </section>
</main>
<script src="/setup.js" type="module"></script>
</body>
</html>
`;

const script = `const element = (id) => document.getElementById(id);
const token = decodeURIComponent(location.hash.slice(1));
const fail = (text) => { element('problem').textContent = text; element('problem').hidden = false; };
if (token === '') fail('This link lacks its token. Copy the whole set-up link from the server\\u2019s start banner.');
else element('submit').disabled = false;

element('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  element('submit').disabled = true;
  element('problem').hidden = true;
  try {
    const response = await fetch('/api/v1/setup', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, organization_name: element('organization').value, email: element('email').value }),
    });
    const answer = await response.json();
    if (!response.ok) return fail(answer.errors?.[0]?.message ?? answer.detail ?? answer.title ?? 'The server refused.');
    history.replaceState(null, '', location.pathname);
    document.title = element('title').textContent = 'Agent Stream is set up';
    element('key').textContent = answer.api_key;
    element('form').hidden = true;
    element('done').hidden = false;
    element('copy').focus();
  } catch {
    fail('The server did not answer. Is it still running?');
  } finally {
    element('submit').disabled = false;
  }
});

// Browsers lend the clipboard to https and localhost alone; elsewhere the key is selected, ready for the keyboard.
element('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(element('key').textContent);
    element('copy').textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(element('key'));
  }
});
`;

/** The page behind the one-time set-up link of the start banner. */
export const setupPageRoutes: FastifyPluginAsync = async (app) => {
  app.get('/setup', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-store').send(page),
  );
  app.get('/setup.js', { schema: { hide: true } }, async (_request, reply) => reply.type('text/javascript; charset=utf-8').send(script));
};

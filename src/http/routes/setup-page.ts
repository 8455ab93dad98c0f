import type { FastifyPluginAsync } from 'fastify';

/** The token stands behind `#`: browsers send it to nobody, so that it reaches no log. */
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Set up Agent Stream</title>
<style>
  :root { color-scheme: light dark; --accent: #2456d6; --line: color-mix(in srgb, CanvasText 22%, Canvas); }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0; padding: 8vh 1.25rem; display: grid; justify-items: center; }
  main { width: 100%; max-width: 27rem; }
  h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
  label { display: block; margin-top: 1.1rem; font-weight: 600; }
  input { font: inherit; width: 100%; box-sizing: border-box; padding: .55rem .7rem; margin-top: .3rem; border: 1px solid var(--line); border-radius: .4rem; background: Canvas; color: CanvasText; }
  button { font: inherit; font-weight: 600; margin-top: 1.5rem; padding: .6rem 1.1rem; border: 0; border-radius: .4rem; background: var(--accent); color: #fff; cursor: pointer; }
  button:disabled { opacity: .6; cursor: progress; }
  input:focus-visible, button:focus-visible { outline: 3px solid color-mix(in srgb, var(--accent) 45%, transparent); outline-offset: 1px; }
  code { display: block; overflow-wrap: anywhere; padding: .7rem .8rem; border: 1px solid var(--line); border-radius: .4rem; font-size: .95rem; user-select: all; }
  [role=alert] { margin-top: 1rem; color: #b3261e; }
  @media (prefers-color-scheme: dark) { [role=alert] { color: #ff8a80; } }
</style>
</head>
<body>
<main>
  <h1>Set up Agent Stream</h1>
  <form id="form">
    <p>Names the organization that owns your agents and makes its first API key.</p>
    <label for="organization">Organization</label>
    <input id="organization" name="organization" required maxlength="100" autocomplete="organization">
    <label for="email">Your e-mail address</label>
    <input id="email" name="email" type="email" required maxlength="320" autocomplete="email">
    <button>Set up</button>
    <p id="problem" role="alert" hidden></p>
  </form>
  <section id="done" hidden>
    <p>Done. This is your API key. It is shown only now: keep it somewhere safe.</p>
    <code id="key"></code>
    <p>Commands on the server’s own machine already have a key of their own: try <code>npx agent-stream agents list</code></p>
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

element('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.target.querySelector('button');
  button.disabled = true;
  element('problem').hidden = true;
  try {
    const response = await fetch('/api/v1/setup', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, organization_name: element('organization').value, email: element('email').value }),
    });
    const answer = await response.json();
    if (!response.ok) return fail(answer.detail ?? answer.title ?? 'The server refused.');
    history.replaceState(null, '', location.pathname);
    element('key').textContent = answer.api_key;
    element('form').hidden = true;
    element('done').hidden = false;
  } catch {
    fail('The server did not answer. Is it still running?');
  } finally {
    button.disabled = false;
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

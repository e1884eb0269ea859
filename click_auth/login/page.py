"""The HTML of the built-in page. A module and no data file: frozen programs bring modules."""

PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5c6470; --paper: #fff; --back: #f1f3f6;
  --line: #e1e5ea; --good: #17794a; --bad: #bf2c32; --open: #2b5fc4 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceef2; --soft: #a3abb8; --paper: #1d2026; --back: #121418; --line: #2e333c;
    --good: #55cd8f; --bad: #ff8085; --open: #84aeff }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--back); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Ubuntu, sans-serif }
main { width: 100%; max-width: 27rem; padding: 2.75rem 2.5rem 0; text-align: center;
  background: var(--paper); border: 1px solid var(--line); border-radius: 1rem; overflow: hidden;
  box-shadow: 0 1px 2px rgb(0 0 0 / .04), 0 12px 32px rgb(0 0 0 / .07) }
svg { display: none; width: 4rem; height: 4rem; margin: 0 auto 1.5rem; fill: none;
  stroke: currentColor; stroke-width: 4; stroke-linecap: round; stroke-linejoin: round }
circle { fill: currentColor; fill-opacity: .12; stroke: none }
.good .good, .bad .bad, .open .open { display: block; color: var(--good) }
.bad .bad { color: var(--bad) } .open .open { color: var(--open) }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em;
  text-wrap: balance }
p { margin: 0; overflow-wrap: anywhere; text-wrap: pretty }
.app, .what { color: var(--soft) } .app { margin-bottom: .35rem; font-weight: 600 }
.next { margin: 2.25rem -2.5rem 0; padding: 1.1rem 2.5rem; font-size: .95rem; font-weight: 500;
  text-wrap: balance; border-top: 1px solid var(--line); background: var(--back) }
</style></head>
<body><main class="$tone">
<svg class="good" viewBox="0 0 64 64" aria-hidden="true">
  <circle cx="32" cy="32" r="32"/><path d="M20 33l8.5 8.5L45 24"/></svg>
<svg class="bad" viewBox="0 0 64 64" aria-hidden="true">
  <circle cx="32" cy="32" r="32"/><path d="M23 23l18 18M41 23L23 41"/></svg>
<svg class="open" viewBox="0 0 64 64" aria-hidden="true">
  <circle cx="32" cy="32" r="32"/><path d="M32 19v14l9 6"/></svg>
<p class="app">$app</p>
<h1>$title</h1>
<p class="what">$message</p>
<p class="next">$next</p>
</main></body></html>
"""

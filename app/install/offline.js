// Keeps the newest page and its files on the device, so that it opens without a network too.

const KEPT = "kept-page";
const PAGE = "/";
// When the page was kept, by this device's clock.
const KEPT_AT = "x-kept-at";

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keepNewest());
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// A page says "keep" when it is left: then its docks are the last ones that the rider saw.
self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(keepNewest());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, searchParams } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate" && pathname === PAGE) event.respondWith(page(event));
  // Such an address names the file's content: what is kept is what the server would send.
  else if (searchParams.has("v")) event.respondWith(file(request));
});

// What the server sends; where it does not answer, or a proxy says so for it, the page that is kept.
async function page(event) {
  const response = await fetch(event.request).catch(() => Response.error());
  const isMissing = response.type === "error" || response.status >= 500;
  // With a search or an instant it is a page of its own.
  if (response.ok && new URL(response.url).search === "") {
    event.waitUntil(keep(response.clone()));
  }
  return (isMissing && (await keptPage())) || response;
}

async function keptPage() {
  const kept = await caches.match(PAGE);
  if (!kept) return undefined;
  // The page's script reads there how old its numbers are.
  const root = `<html data-kept-at="${kept.headers.get(KEPT_AT)}"`;
  const html = (await kept.text()).replace("<html", root);
  return new Response(html, { headers: kept.headers });
}

async function file(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function keepNewest() {
  const response = await fetch(PAGE);
  if (response.ok) await keep(response);
}

// Keeps a page with the files that it names, and no others.
async function keep(response) {
  const html = await response.text();
  const files = new Set(Array.from(html.matchAll(/"(\/[^"?]+\?v=[0-9a-f]+)"/g), ([, file]) => file));
  const cache = await caches.open(KEPT);
  const has = async (file) => (await cache.match(file, { ignoreVary: true })) !== undefined;
  await Promise.all(Array.from(files, async (file) => (await has(file)) || cache.add(file)));
  // The text is not compressed any more.
  const headers = new Headers(response.headers);
  ["content-encoding", "content-length"].forEach((name) => headers.delete(name));
  headers.set(KEPT_AT, Date.now());
  await cache.put(PAGE, new Response(html, { headers }));
  for (const request of await cache.keys()) {
    const { pathname, search } = new URL(request.url);
    if (pathname !== PAGE && !files.has(pathname + search)) await cache.delete(request);
  }
}

/** Stands in the page itself: the page is seen first, and then its script is run, which has come in the meantime. */
function run(): void {
  const script = document.createElement("script");
  script.src = document.querySelector<HTMLLinkElement>("link[rel=preload]")?.href ?? "";
  document.head.append(script);
}

// the token comes behind "#" once, and stays in this tab; before anything else, so that no way to another address loses it
const token = /^#token=([0-9a-f]+)$/.exec(location.hash)?.[1];
if (token !== undefined) {
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", location.pathname);
}
// a page that is not seen is never painted
if (document.hidden) run();
else requestAnimationFrame(() => setTimeout(run));

export {};

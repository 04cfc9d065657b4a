/* What every script of ours begins with. */
const script = document.currentScript;
const home = new URL(script.src).origin;
const EMAIL = /^[^\s@<>,;"()]+@[^\s@<>,;"().]+(\.[^\s@<>,;"().]+)+$/;

const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/* Until then, or until the network is back: there is nothing more to wait for. */
const pause = async (seconds) => {
  const over = new AbortController();
  const online = new Promise((resolve) => window.addEventListener("online", resolve, { signal: over.signal }));
  await Promise.race([wait(seconds), online]);
  over.abort();
};

const made = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
};

// Lets the forms of the API's page send what they say. The key lives in its field only.
function url(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("[data-in]")) {
    const { in: place, name } = field.dataset;
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(field.value.trim()));
    if (place === "query" && field.value) query.append(name, field.value);
  }
  return query.size ? `${path}?${query}` : path;
}

function headers(form) {
  const found = new Headers();
  const key = document.querySelector("[data-api-key]").value.trim();
  if (key) found.set("Authorization", `Bearer ${key}`);
  for (const field of form.querySelectorAll('[data-in="header"]')) {
    if (field.value) found.set(field.dataset.name, field.value);
  }
  if (form.querySelector("[data-body]")) found.set("Content-Type", "application/json");
  return found;
}

function words(answer, text) {
  const kept = ["ETag", "Idempotency-Replayed", "Allow"].filter((name) => answer.headers.has(name));
  const head = [`${answer.status} ${answer.statusText}`, ...kept.map((name) => `${name}: ${answer.headers.get(name)}`)];
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  return `${head.join("\n")}\n\n${isJson && text ? JSON.stringify(JSON.parse(text), null, 2) : text}`;
}

async function send(form) {
  const shown = form.querySelector("[data-answer]");
  shown.hidden = false;
  shown.textContent = "…";
  try {
    const body = form.querySelector("[data-body]")?.value;
    const answer = await fetch(url(form), { method: form.dataset.method, headers: headers(form), body });
    shown.textContent = words(answer, await answer.text());
  } catch (error) {
    shown.textContent = `Nothing came back: ${error.message}`;
  }
}

for (const form of document.querySelectorAll("[data-try]")) {
  form.querySelector("[data-send]").hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
const wanted = location.hash.slice(1) && document.getElementById(location.hash.slice(1));
if (wanted?.tagName === "DETAILS") wanted.open = true;

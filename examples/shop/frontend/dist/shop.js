const list = document.querySelector("#items");
const form = document.querySelector("#add");
const message = document.querySelector("#message");

function say(text, isError = false) {
  message.textContent = text;
  message.classList.toggle("error", isError);
}

async function call(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `${answer.status} ${answer.statusText}`);
  const task = answer.headers.get("x-served-by-task"), zone = answer.headers.get("x-served-by-zone");
  document.querySelector("#api").textContent = `Items by task ${task} in ${zone}.`;
  return body;
}

async function card(item) {
  const li = document.createElement("li");
  const picture = document.createElement(item.has_picture ? "img" : "div");
  picture.className = "picture";
  if (item.has_picture) {
    picture.alt = item.name;
    // the URL is signed for a while, so it is asked for when it is needed
    picture.src = (await call(`/api/items/${item.id}/picture`)).url;
  }
  const text = document.createElement("div");
  text.className = "text";
  const name = document.createElement("span"), price = document.createElement("strong");
  name.textContent = item.name;
  price.textContent = (item.price_cents / 100).toFixed(2);
  text.append(name, price);
  li.append(picture, text);
  return li;
}

async function show() {
  const items = await call("/api/items?limit=60");
  list.replaceChildren(...await Promise.all(items.map(card)));
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const { name, price, picture } = form.elements;
    const item = await call("/api/items", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: name.value, price_cents: Math.round(price.value * 100) }),
    });
    const file = picture.files[0];
    if (file) {
      await call(`/api/items/${item.id}/picture`, { method: "PUT", headers: { "content-type": file.type }, body: file });
    }
    form.reset();
    say(`${item.name} is in the shop.`);
    await show();
  } catch (error) {
    say(error.message, true);
  } finally {
    button.disabled = false;
  }
});

show().catch(error => say(error.message, true));

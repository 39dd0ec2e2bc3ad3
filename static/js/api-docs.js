/** Swagger UI over our own schema; what is tried goes out with the session and its CSRF token. */
const place = document.getElementById("api-docs");
const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

const csrfToken = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";

function takeTheTheme() {
  root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches);
}

takeTheTheme();
systemIsDark.addEventListener("change", takeTheTheme);
new MutationObserver(takeTheTheme).observe(root, { attributes: true, attributeFilter: ["data-theme"] });

window.SwaggerUIBundle({
  url: place.dataset.schema,
  dom_id: "#api-docs",
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  requestInterceptor(request) {
    if (new URL(request.url, location.href).origin === location.origin) request.headers["X-CSRFToken"] = csrfToken();
    return request;
  },
});

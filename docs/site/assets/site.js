// Equations: KaTeX sets what the Markdown extension arithmatex has marked.
for (const element of document.querySelectorAll(".arithmatex")) {
  const text = element.textContent;
  katex.render(text.slice(2, -2), element, {
    displayMode: text.startsWith("\\["),
    throwOnError: false,
    strict: "ignore",
  });
}

// Screen readers read out dialogs by their name; Material's search has none.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");

// Long names in tables break after an underscore, a dot or a bracket rather than anywhere.
for (const code of document.querySelectorAll(".md-typeset td > code")) {
  const parts = code.textContent.split(/(?<=[_.(,=/])/);
  code.replaceChildren(...parts.flatMap((part, place) => (place ? [document.createElement("wbr"), part] : [part])));
}

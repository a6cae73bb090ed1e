// Equations: KaTeX sets what the Markdown extension arithmatex has marked.
for (const element of document.querySelectorAll(".arithmatex")) {
  const text = element.textContent;
  katex.render(text.slice(2, -2), element, {
    displayMode: text.startsWith("\\["),
    throwOnError: false,
    strict: "ignore",
  });
}

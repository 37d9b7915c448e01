const HTML_IN_JSON = /[<>&]/g;
const NOT_UNRESERVED = /[!'()*]/g;

/**
 * `words` without the secret, be it as it is or as JSON or a URL would write it: who echoes a request often escapes it.
 * An empty secret hides nothing.
 */
export function without(secret: string, words: string): string {
  return formsOf(secret).reduce((rest, form) => rest.replaceAll(form, '***'), words);
}

/** The longest first: one form may stand in another. */
function formsOf(secret: string): readonly string[] {
  if (secret === '') return [];
  const inJson = JSON.stringify(secret).slice(1, -1);
  const inUrl = encodeURIComponent(Buffer.from(secret).toString());
  const strictly = inUrl.replaceAll(NOT_UNRESERVED, (sign) => `%${hex(sign).toUpperCase()}`);
  const urls = [inUrl, strictly, new URLSearchParams([['', secret]]).toString().slice(1)];
  const forms = [
    secret,
    inJson,
    // Agents are written in Go, whose JSON is safe to stand in HTML.
    inJson.replaceAll(HTML_IN_JSON, (sign) => `\\u00${hex(sign)}`),
    ...urls,
    ...urls.map((form) => form.replaceAll('%20', '+')),
  ];
  return [...new Set(forms)].sort((one, other) => other.length - one.length);
}

function hex(sign: string): string {
  return sign.charCodeAt(0).toString(16).padStart(2, '0');
}

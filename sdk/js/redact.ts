/**
 * What a span may not tell: user-info, fragments (they carry tokens), and the query values that
 * the semantic conventions for `url.full` and `url.query` name, with the cloud stores' other ones.
 */

const SECRET =
  /([?&](?:AWSAccessKeyId|Signature|sig|X-Goog-Signature|X-Amz-(?:Signature|Credential|Security-Token))=)[^&]*/gi;

/** Redacts a URL, or a query that begins with its question mark. */
export function redactUrl(url: string): string {
  return url
    .replace(/#[^]*/, '')
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?]*@/i, '$1')
    .replace(SECRET, '$1REDACTED');
}

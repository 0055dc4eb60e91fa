/** The marked code blocks of docs/sdk/<stack>.md (firstMinutes of ui/docs.mjs). */
declare module 'docs:first-minutes' {
  export interface Block {
    caption: string;
    text: string;
  }
  const blocks: Record<
    'browser' | 'react' | 'node' | 'go' | 'python' | 'c' | 'opentelemetry',
    Block[]
  >;
  export default blocks;
}

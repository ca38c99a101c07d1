/** One documented step as the page shows it. */
export interface PageStep {
  readonly number: number
  readonly host: string
  readonly actor: string
  readonly at: number
  readonly evidence: Readonly<Record<string, unknown>>
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;',
}
export const escape = (text: string): string => text.replace(/[&<>"']/g, (letter) => escapes[letter]!)

const style = `
  :root { color-scheme: light dark }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top }
  td.number, td.time { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
  code { font-size: .85em; overflow-wrap: anywhere }
  p.note { opacity: .75 }`

/** The boot table as static HTML: no script, nothing loaded from elsewhere. */
export function bootPage(
  zone: string, host: string, steps: readonly PageStep[], what: (number: number) => string,
): string {
  const first = steps[0]?.at ?? 0
  const told = (evidence: PageStep['evidence']): string => Object.entries(evidence)
    .map(([name, value]) => `<code>${escape(name)} ${escape(String(value))}</code>`).join('<br>')
  const rows = steps.map(({ number, actor, at, evidence }) => `
    <tr><td class="number">${number}</td><td>${escape(actor)}</td><td>${escape(what(number))}</td>
    <td>${told(evidence)}</td>
    <td class="time">${Math.round(at - first)} ms</td></tr>`)
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Zone ${escape(zone)}</title>
  <style>${style}
  </style>
</head>
<body>
  <h1>Zone ${escape(zone)}</h1>
  <p>Served by the gateway of <strong>${escape(host)}</strong>. Each row was marked by the actor that received the
    step.</p>
  <table>
    <thead><tr><th>Step</th><th>Received by</th><th>What</th><th>Evidence</th><th>After</th></tr></thead>
    <tbody>${rows.join('')}
    </tbody>
  </table>
  <p class="note">Times are since the first step. <a href="/healthz">Health</a></p>
</body>
</html>
`
}

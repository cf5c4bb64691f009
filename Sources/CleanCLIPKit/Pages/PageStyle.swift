/// The style sheet of all reports.
enum PageStyle {
  static let css = """
    :root{--ink:#1c2430;--soft:#5b6675;--line:#dfe3e8;--paper:#fff;--ground:#f4f5f7;
    --before:#c8472f;--after:#1f8a5b;--control:#8a94a3;--good:#1f8a5b;--fair:#b7791f;--bad:#c8472f;
    --neutral:#45566b;--track:#eef0f3;--crossmodal:#2f6fc8;--inmodal:#d08a1d;color-scheme:light dark}
    *{box-sizing:border-box}
    body{margin:0;background:var(--ground);color:var(--ink);
    font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
    main{max-width:1180px;margin:0 auto;padding:32px 24px 48px}
    h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
    h2{font-size:16px;margin:0 0 2px}
    h3{font-size:13px;margin:14px 0 4px;color:var(--soft);font-weight:600}
    p{margin:0 0 6px}.soft{color:var(--soft)}.small{font-size:13px}
    header{margin-bottom:20px}
    .grid2>.card{margin-bottom:0;display:flex;flex-direction:column}.grid2 svg{margin-top:auto}
    .card{margin-bottom:18px;background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:18px 20px}
    .verdict{border-left:6px solid var(--neutral)}
    .verdict.good{border-left-color:var(--good)}.verdict.fair{border-left-color:var(--fair)}
    .verdict.bad{border-left-color:var(--bad)}
    .verdict h2{font-size:21px;margin-bottom:6px}
    .verdict.good h2{color:var(--good)}.verdict.fair h2{color:var(--fair)}
    .verdict.bad h2{color:var(--bad)}
    .grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:18px;
    margin-bottom:18px}
    svg{display:block;width:100%;max-width:640px;height:auto;padding-top:10px}
    svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
    fill:var(--ink)}
    svg .tick{fill:var(--soft);font-size:11px}svg .name{font-size:13px}
    svg .value{font-size:14px;font-weight:600}
    svg .grid{stroke:var(--line);stroke-width:1}svg .track{fill:var(--track)}
    svg .before{fill:var(--before)}svg .after{fill:var(--after)}svg .control{fill:var(--control)}
    svg .whisker{stroke:var(--ink);stroke-width:1.4;fill:none}
    svg .curve{fill:none;stroke-width:1.8;stroke-linejoin:round}
    svg circle.curve{stroke-width:4}
    svg .total{stroke:var(--ink)}svg .crossmodal{stroke:var(--crossmodal)}
    svg .inmodal{stroke:var(--inmodal)}svg .reference{stroke:var(--soft);stroke-width:2;opacity:.55}
    svg .good{fill:var(--good)}svg .fair{fill:var(--fair)}svg .bad{fill:var(--bad)}
    svg .neutral{fill:var(--neutral)}svg circle{stroke:var(--paper);stroke-width:1.5}
    .legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:6px 0 0;font-size:13px;color:var(--soft)}
    .legend span::before{content:"";display:inline-block;width:14px;height:3px;margin-right:6px;
    vertical-align:middle;background:var(--ink)}
    .legend .crossmodal::before{background:var(--crossmodal)}
    .legend .inmodal::before{background:var(--inmodal)}
    .examples{display:flex;flex-wrap:wrap;gap:16px;margin-top:12px}
    figure{margin:0}figure .pair{display:flex;gap:4px}
    figure img{width:92px;height:92px;object-fit:contain;image-rendering:pixelated;border-radius:4px;
    background:var(--track);display:block}
    figcaption{font-size:12px;color:var(--soft);max-width:188px;margin-top:4px}
    .images{display:flex;flex-wrap:wrap;gap:12px;margin-top:10px}.images figure{width:112px}
    .images img{width:112px;height:112px}.images figcaption{overflow-wrap:anywhere;margin-top:3px}
    table{border-collapse:collapse;width:100%;font-size:14px;margin-top:8px}
    td,th{text-align:left;padding:5px 10px 5px 0;border-top:1px solid var(--line);
    vertical-align:top;overflow-wrap:anywhere}th{overflow-wrap:break-word}
    thead th{border-top:0;color:var(--soft);font-weight:600;font-size:13px}
    tbody th{font-weight:400;color:var(--soft);width:36%}
    td.number,td.number span{white-space:nowrap}
    td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;line-height:1.25;
    overflow-wrap:normal;    padding-right:0;padding-left:10px}
    footer{margin-top:22px}
    @media screen and (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa5b3;--line:#323a45;
    --paper:#1b2028;--ground:#12161c;--before:#e0694f;--after:#3fb57f;--control:#8a94a3;--good:#3fb57f;
    --fair:#d9a441;--bad:#e0694f;--neutral:#7d90a8;--track:#2a313b;--crossmodal:#6ba3ee;--inmodal:#e0a345}}
    @media (max-width:600px){main{padding:16px 10px 32px}.card{padding:14px 12px}h1{font-size:22px}
    svg text,svg .name,svg .value{font-size:20px}svg .tick{font-size:17px}.images figure{width:calc(50% - 6px)}
    .images img{width:100%;height:auto;aspect-ratio:1}table{font-size:13px}
    td.number,th.number{padding-left:6px;font-size:12px}tbody th{width:auto}}
    @media print{body{background:#fff;print-color-adjust:exact;-webkit-print-color-adjust:exact}
    main{padding:0}.card{break-inside:avoid}}
    """
}

"""Price and order flow as a page for the browser: flow.html, or the file that is named."""

import sys
import tempfile

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", span="10m")
    frame = tw.replay(tape, sampling="1s", as_="pandas")

figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.03)
figure.add_trace(go.Scatter(x=frame["ts"], y=frame["mid"], name="mid"), row=1, col=1)
figure.add_trace(go.Bar(x=frame["ts"], y=frame["ofi_l10_30s"], name="flow of 10 levels, 30 s"), row=2, col=1)
figure.update_layout(title="Synthetic BTCUSDT", hovermode="x unified", bargap=0)
page = sys.argv[1] if len(sys.argv) > 1 else "flow.html"
figure.write_html(page)
print(f"{len(frame)} rows drawn: {page}")

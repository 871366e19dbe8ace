"""Write the dashboards' JSON: `PYTHONPATH=deploy/observability python -m dashboards`."""

from dashboards.catalogue import JSON, texts

JSON.mkdir(exist_ok=True)
for stale in set(JSON.glob("*.json")) - {JSON / name for name in texts()}:
    stale.unlink()
for name, text in texts().items():
    (JSON / name).write_text(text)

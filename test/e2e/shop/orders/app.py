"""The orders' service, on port 5000."""

import os
import threading
import time

import tracekit
from flask import Flask
from tracekit.integrations.flask import init_flask_app

tracekit.init(
    api_key=os.environ.get("TRACEKIT_API_KEY"),
    service_name="orders",
)
app = Flask(__name__)
init_flask_app(app)


@app.get("/orders")
def orders():
    return [{"user": "Ada Lovelace", "orders": 3}]


def flush() -> None:
    """Nobody wants to wait for a whole batch here."""
    while True:
        time.sleep(0.1)
        tracekit.flush()


if __name__ == "__main__":
    threading.Thread(target=flush, daemon=True).start()
    print("ready http://localhost:5000", flush=True)
    app.run(host="127.0.0.1", port=5000)

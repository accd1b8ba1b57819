"""The Flask application."""

from flask import Flask, abort, request

from cloud.web import api, events, pages, receipts
from cloud.web.service import Service


def make_app(service: Service) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = api.MAX_BODY_BYTES + 1

    @app.before_request
    def _no_nul() -> None:
        """Nothing is named so, and PostgreSQL would take it for an error in the query."""
        if "\x00" in request.path or any("\x00" in value for value in request.args.values()):
            abort(404)

    app.register_blueprint(api.blueprint(service))
    app.register_blueprint(events.blueprint(service))
    app.register_blueprint(pages.blueprint(service))
    app.register_blueprint(receipts.blueprint(service))
    return app

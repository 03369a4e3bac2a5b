"""Being written."""
from flask import Blueprint
pages = Blueprint("operations", __name__)
@pages.get("/operations")
def show() -> str:
    return "x"
@pages.get("/operations/index")
def index() -> str:
    return "x"

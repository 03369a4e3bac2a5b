"""Being written."""
from flask import Blueprint
pages = Blueprint("parts", __name__)
@pages.get("/parts")
def show() -> str:
    return "x"
@pages.get("/parts/index")
def index() -> str:
    return "x"

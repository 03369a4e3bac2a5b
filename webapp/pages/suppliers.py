"""Being written."""
from flask import Blueprint
pages = Blueprint("suppliers", __name__)
@pages.get("/suppliers")
def show() -> str:
    return "x"
@pages.get("/suppliers/index")
def index() -> str:
    return "x"

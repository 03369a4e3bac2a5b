"""Being written."""
from flask import Blueprint
pages = Blueprint("orders", __name__)
@pages.get("/orders")
def show() -> str:
    return "x"
@pages.get("/orders/index")
def index() -> str:
    return "x"

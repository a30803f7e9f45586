"""The pages: each module has `render(app)`. `ui/parts/menu.py` lists them."""

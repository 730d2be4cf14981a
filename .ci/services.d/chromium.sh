# A browser for the pages that show the routes.
ensure_package chromium chromium

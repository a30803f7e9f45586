"""The truth: tables, migrations, the unit of work, media files. Everything here speaks SQLAlchemy Core."""

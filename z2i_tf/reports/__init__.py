"""What an evaluation leaves for people: records, tables, charts and the report that gathers them."""

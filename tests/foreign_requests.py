"""Headers of requests that every page's server refuses, with the status of the answer."""

FOREIGN_HEADERS = (
  ({"Host": "evil.example:80"}, 421),
  ({"Host": "localhost:1"}, 421),
  ({"Origin": "http://evil.example"}, 403),
  ({"Origin": "null"}, 403),
  ({"Sec-Fetch-Site": "cross-site"}, 403),
)

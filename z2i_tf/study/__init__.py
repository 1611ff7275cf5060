"""The user study of the paper's Appendix E: pairs of results, blinded, that people choose between in a browser."""

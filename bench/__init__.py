"""Measurements that stay: what is promised of big artifacts and big collections, in figures."""

"""Tables of any size, as a folder of Parquet files in which the rows of a series are contiguous.

In reading order: `duckdb_queries` (files, their columns, and SQL that reads them and checks ids and
times), `folder` (`partition`: DuckDB divides the rows into files, and sorts each).
"""

from seqcast.tables.partitioning.folder import Partition, partition

__all__ = ["Partition", "partition"]

{"keyId":"1841948a09bf478b","signature":"kTRi3djjfa20yLxfj9DGGmQhwXt+bmEDvB9a7tAcZ4rb+O5we0ibNhedp9uP1YVVMlpCOTvwrzsvBNd7muWfDg=="}

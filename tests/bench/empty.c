/* SPDX-License-Identifier: ISC */
/*
 * empty.c - a program that does nothing: what the start of any program costs.
 */
int
main(void)
{
    return 0;
}
